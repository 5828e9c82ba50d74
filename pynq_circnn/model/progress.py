"""The progress bar of long predictions."""

from typing import Any, Optional, Union

BAR_DELAY_SECONDS = 1.0  # verbose="auto" shows a bar for what takes longer


def progress_bar(backend: str, verbose: Union[str, int], total: Optional[int]) -> Any:
    """Return a ``tqdm`` bar that counts samples, `total` of them where that is known."""
    from tqdm.auto import tqdm  # slow to import, and most programs never show a bar

    return tqdm(
        total=total,
        desc=f"predict [{backend}]",
        unit="sample",
        leave=verbose == 1,
        disable=verbose == 0,
        delay=BAR_DELAY_SECONDS if verbose == "auto" else 0,
    )
