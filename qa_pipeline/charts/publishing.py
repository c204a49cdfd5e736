"""Writes finished pages into the reports folder: all are built beside it first, then each file is replaced at once.

A reader never opens half a page, and a run that fails leaves the old pages as they were.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from qa_pipeline.errors import HomeError

WORKSHOP = ".building"


def publish(contents: Mapping[str, str | bytes], *, folder: Path, obsolete: Iterable[str]) -> list[Path]:
    """Write `contents` (path within the folder to text or bytes) into `folder`, in their order, then remove `obsolete`.

    `obsolete` are patterns such as `market-*.html`; files in `contents` are kept. Put what others refer to first: a
    page is replaced after the assets it needs. Returns the written paths. Raises HomeError naming the path, the reason
    and what to do.
    """
    workshop = folder / WORKSHOP
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(workshop, ignore_errors=True)
        for name, content in contents.items():
            path = workshop / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        written = []
        for name in contents:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(workshop / name, path)  # noqa: PTH105 (Path.replace, but both ends show here)
            written.append(path)
        for pattern in obsolete:
            for path in folder.glob(pattern):
                if path not in written:
                    path.unlink()
    except OSError as err:
        raise HomeError(_sentence(folder, err)) from err
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return written


def _sentence(folder: Path, err: OSError) -> str:
    if folder.exists() and not folder.is_dir():
        return f"{folder} is a file, but the pages need a folder there: move it away or choose another --home."
    path = err.filename2 or err.filename or folder
    if isinstance(err, IsADirectoryError):
        return f"{path} is a folder, but a page must be written there: move it away."
    if isinstance(err, NotADirectoryError | FileExistsError):
        return f"{path} is a file where the pages need a folder: move it away or choose another --home."
    return f"{path} cannot be written ({err.strerror}): mend its rights or choose another --home."
