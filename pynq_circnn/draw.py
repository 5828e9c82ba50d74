"""A canvas for drawing digits in a notebook, with a live prediction (needs ``ipywidgets``)."""

from typing import Any, Callable, List

import numpy as np

from .model.model import Model

SIDE = 8  # the images of scikit-learn's bundled digits: 8 x 8 pixels, 0 to 16
LEVELS = (0, 8, 16)
_COLOURS = {0: "#f2f2f2", 8: "#8899aa", 16: "#223344"}


class DigitCanvas:
    """A canvas of 8 x 8 pixels; a click makes a pixel darker, and the darkest pixel white again.

    Parameters
    ----------
    model : Model
        One that takes 64 bytes, 0 to 16, and returns ten probabilities.
    backend : str
        A back end's name or ``"auto"``, as in :meth:`Model.predict`.

    Attributes
    ----------
    image : uint8 array of shape (8, 8)
    probabilities : float32 array of shape (10,)
    widget : ipywidgets.Widget
        The widget to display.  In a notebook, the canvas as the last line of a cell shows it too.
    """

    def __init__(self, model: Model, backend: str = "auto") -> None:
        import ipywidgets as widgets

        self._model, self._backend = model, backend
        self.image = np.zeros((SIDE, SIDE), dtype=np.uint8)
        self._pixels: List[Any] = []
        square = {"width": "30px", "height": "30px", "margin": "1px", "padding": "0"}
        for index in range(SIDE * SIDE):
            pixel = widgets.Button(layout=widgets.Layout(**square))
            pixel.on_click(self._clicker(index))
            self._pixels.append(pixel)
        rows = [widgets.HBox(self._pixels[i : i + SIDE]) for i in range(0, SIDE * SIDE, SIDE)]
        clear = widgets.Button(description="clear")
        clear.on_click(lambda _: self.draw(np.zeros((SIDE, SIDE))))
        self._answer = widgets.HTML()
        self._bars = [
            widgets.FloatProgress(min=0, max=1, description=str(digit)) for digit in range(10)
        ]
        self.widget = widgets.HBox(
            [widgets.VBox([*rows, clear]), widgets.VBox([self._answer, *self._bars])]
        )
        self.draw(self.image)

    def _clicker(self, index: int) -> Callable[[Any], None]:
        def click(_: Any) -> None:
            image = self.image.copy()
            level = LEVELS.index(_nearest_level(image.flat[index]))
            image.flat[index] = LEVELS[(level + 1) % len(LEVELS)]
            self.draw(image)

        return click

    def click(self, row: int, column: int) -> None:
        """Click a pixel."""
        self._pixels[row * SIDE + column].click()

    def draw(self, image: Any) -> None:
        """Show an image (8 x 8, values 0 to 16) and the model's prediction for it.

        Raises
        ------
        ValueError
            If the image has another shape, or values beyond 0 to 16.
        """
        values = np.asarray(image)
        if values.size != SIDE * SIDE or values.min() < 0 or values.max() > LEVELS[-1]:
            raise ValueError(
                f"image must be {SIDE} x {SIDE} values of 0 to {LEVELS[-1]}. "
                f"Received: shape {values.shape}, {values.min()} to {values.max()}."
            )
        self.image = values.reshape(SIDE, SIDE).astype(np.uint8)
        for pixel, value in zip(self._pixels, self.image.flat):
            pixel.style.button_color = _COLOURS[_nearest_level(value)]
        self.probabilities = self._model.predict(
            self.image.reshape(-1), verbose=0, backend=self._backend
        )
        best = int(self.probabilities.argmax())
        blank = not self.image.any()
        self._answer.value = "draw a digit" if blank else f"<b style='font-size:200%'>{best}</b>"
        for bar, probability in zip(self._bars, self.probabilities):
            bar.value = 0.0 if blank else float(probability)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)  # type: ignore[no-untyped-call]


def _nearest_level(value: Any) -> int:
    return min(LEVELS, key=lambda level: abs(level - int(value)))
