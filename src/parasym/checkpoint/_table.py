"""Every kind of file with tensors in it that is read, in one table. A new kind is one file and one entry here.

A file is of the first kind whose first bytes it has, else of the one of its ending.
"""

from parasym.checkpoint.kind import Kind
from parasym.checkpoint.numpy_file import NPY, NPZ
from parasym.checkpoint.safe import SAFETENSORS
from parasym.checkpoint.torch_exported import TORCH_EXPORTED
from parasym.checkpoint.torch_legacy import TORCH_LEGACY
from parasym.checkpoint.torch_tar import TORCH_TAR
from parasym.checkpoint.torch_zip import TORCH_ZIP

KINDS: tuple[Kind, ...] = (TORCH_EXPORTED, NPZ, TORCH_ZIP, TORCH_TAR, SAFETENSORS, NPY, TORCH_LEGACY)
