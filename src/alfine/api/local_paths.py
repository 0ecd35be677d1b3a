"""Local paths in job files: relative ones are meant from the file's folder, wherever the job is started."""

from __future__ import annotations

from pathlib import Path


def absolute(path: str, folder: Path) -> Path:
    """Return a path meant from a folder as an absolute one, with links resolved.

    Args:
        path: A path as somebody wrote it; ~ stands for the home folder.
        folder: The folder from which a relative path is meant.
    """
    return Path(folder, Path(path).expanduser()).resolve()


def absolute_uri(uri: str, folder: Path) -> str:
    """Return a local path, or what follows `file://`, as an absolute `file://` URI; any other URI as it is.

    Args:
        uri: A path, a file:// URI or another URI.
        folder: The folder from which a relative path is meant.
    """
    text = uri.removeprefix("file://")
    if text == uri and "://" in uri:
        return uri
    if text != uri and text.startswith("/"):
        return uri
    return absolute(text, folder).as_uri()


def anchored_word(word: str, folder: Path) -> str:
    """Return a word of a command; the name of a file in the folder, or `./` or `../` in front, becomes an absolute path.

    Args:
        word: A word of a command line.
        folder: The folder of the job file.
    """
    is_path = word.startswith(("./", "../")) or (word and not word.startswith("/") and (folder / word).is_file())
    return str(absolute(word, folder)) if is_path else word
