"""A zip archive as torch writes it: members by name, each checked by its checksum."""

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from parasym.core import CheckpointError

MAGIC = b"PK\x03\x04"
LOCAL = struct.Struct("<4s5H3I2H")
"""The header before the bytes of a member: signature, versions and flags, sizes, lengths of name and extra field."""


class Archive:
    """The members of a zip archive, below the folder that torch puts them in.

    Args:
        source: The file, or its bytes.

    Attributes:
        members: Entries by name without the folder.
        folder: That folder with its slash; empty if the members have none in common.
        checked: Whether it has checksums; ``torch.serialization.set_crc32_options(False)`` leaves them out.

    Raises:
        CheckpointError: If it is no zip archive, a name is there twice or leads out of it, or a member is encrypted.
    """

    def __init__(self, source: Path | bytes) -> None:
        self._source = source
        try:
            with self._open() as raw, zipfile.ZipFile(raw) as file:
                found = file.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            raise CheckpointError(f"it is no whole zip archive ({error})") from error
        if not all(entry.filename for entry in found):
            raise CheckpointError("it has a member without a name")
        names = [entry.filename for entry in found]
        folder = names[0].split("/")[0] + "/" if names and all("/" in name for name in names) else ""
        self.folder = folder = folder if all(name.startswith(folder) for name in names) else ""
        self.members = {entry.filename.removeprefix(folder): entry for entry in found if not entry.is_dir()}
        if len(self.members) < len([entry for entry in found if not entry.is_dir()]):
            raise CheckpointError("it has two members of one name, and which one counts cannot be told")
        for name, entry in self.members.items():
            if (
                entry.flag_bits & 1
                or ".." in name.split("/")
                or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
            ):
                raise CheckpointError(f"its member `{name}` is encrypted, packed in an unknown way, or leads out of it")
        self.checked = any(entry.CRC for entry in self.members.values() if entry.file_size)

    def read(self, name: str) -> bytearray:
        """Return the bytes of a member.

        Args:
            name: Without the folder.

        Raises:
            CheckpointError: If it is missing, cut off, or its checksum is another one.
        """
        entry = self.members.get(name)
        if entry is None:
            raise CheckpointError(f"its member `{name}` is missing")
        try:
            data = self._stored(entry) if entry.compress_type == zipfile.ZIP_STORED else self._packed(entry)
        except (zipfile.BadZipFile, OSError, EOFError, zlib.error, ValueError) as error:
            raise CheckpointError(f"its member `{name}` cannot be read ({error})") from error
        if len(data) != entry.file_size:
            raise CheckpointError(f"its member `{name}` must have {entry.file_size} bytes, but is cut off after {len(data)}")
        if self.checked and zlib.crc32(data) != entry.CRC:
            raise CheckpointError(f"its member `{name}` has a wrong checksum: some of its bytes have changed")
        return data

    def _stored(self, entry: zipfile.ZipInfo) -> bytearray:
        with self._open() as file:
            size = min(entry.file_size, file.seek(0, 2))  # a damaged header may ask for anything
            file.seek(entry.header_offset)
            header = file.read(LOCAL.size)
            if len(header) < LOCAL.size or header[:4] != MAGIC:
                raise ValueError("its header is damaged")
            *_, name, extra = LOCAL.unpack(header)
            if file.read(name) != entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437"):
                raise ValueError("its header names another member")
            file.seek(extra, 1)
            data = bytearray(size)
            return data[: file.readinto(data)]  # pyright: ignore[reportAttributeAccessIssue]

    def _packed(self, entry: zipfile.ZipInfo) -> bytearray:
        with self._open() as raw, zipfile.ZipFile(raw) as file:
            return bytearray(file.read(entry))

    def _open(self) -> BinaryIO:
        return io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source.open("rb")
