"""Every study that `parasym study` runs, in one table. A new study is one file and one entry here."""

from parasym.studies.lmc import LMC
from parasym.studies.mli import MLI
from parasym.studies.study import Study
from parasym.studies.symh import SYMH

STUDIES: tuple[Study, ...] = (LMC, MLI, SYMH)
