"""Seeded recipes that train the shipped models and their dense twins.

A recipe is a frozen value; :func:`train` makes a Keras model from it.  The dense twin is the same
recipe with every block size 1: same data, augmentation, optimiser, epochs.
"""

import math
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

from ..keras import BlockCirculantConv2D, BlockCirculantDense  # chooses the back end of Keras

# isort: split
import keras
import numpy as np

from ..data import Split, load_digits, load_mnist


@dataclass(frozen=True)
class Recipe:
    """How one model of the zoo is made.

    Parameters
    ----------
    name : str
    blocks : tuple of int
        Block size of each matrix layer, in order.
    build : callable
        ``build(blocks)`` returns the untrained Keras model.
    load : callable
        ``load(folder)`` returns the data to train on and the held-out data, both ``(x, y)``.
    epochs, batch_size : int
    learning_rate : float
        Of Adam, at its peak: warmed up over the first epoch, then lowered by a cosine to zero.
    shift, turn, zoom : float
        Augmentation: the most pixels, degrees and relative size that an image is changed by.
    """

    name: str
    blocks: Tuple[int, ...]
    build: Callable[[Tuple[int, ...]], keras.Model]
    load: Callable[[Optional[str]], Tuple[Split, Split]]
    epochs: int
    batch_size: int
    learning_rate: float
    shift: float = 0.0
    turn: float = 0.0
    zoom: float = 0.0

    @property
    def twin(self) -> Tuple[int, ...]:
        """Block sizes of the dense twin."""
        return (1,) * len(self.blocks)

    def settings(self) -> Dict[str, Any]:
        """Return everything that decides what is trained, as plain values."""
        values = {key: value for key, value in vars(self).items() if not callable(value)}
        layers = [
            f"{type(layer).__name__} {layer.output.shape}" for layer in self.build(self.twin).layers
        ]
        return {**values, "blocks": list(self.blocks), "layers": layers}


def distort(
    x: np.ndarray, random: np.random.Generator, shift: float, turn: float, zoom: float
) -> np.ndarray:
    """Return images shifted, turned and zoomed at random, with bilinear interpolation.

    Parameters
    ----------
    x : array of shape (n, height, width)
    random : numpy.random.Generator
    shift, turn, zoom : float
        Largest shift in pixels, turn in degrees, and relative change of size, uniform.

    Returns
    -------
    ndarray of float32, shape (n, height, width)
    """
    n, height, width = x.shape
    angle = np.radians(random.uniform(-turn, turn, n))
    scale = 1 + random.uniform(-zoom, zoom, (2, n))
    offset = random.uniform(-shift, shift, (2, n))
    rows = np.arange(height, dtype=np.float32)[None, :, None] - (height - 1) / 2
    columns = np.arange(width, dtype=np.float32)[None, None, :] - (width - 1) / 2

    def coordinate(down: np.ndarray, right: np.ndarray, centre: np.ndarray) -> Any:
        a, b, c = (v.astype(np.float32)[:, None, None] for v in (down, right, centre))
        return a * rows + b * columns + c

    centre = offset + np.array([[height + 1], [width + 1]]) / 2
    top = coordinate(np.cos(angle) * scale[0], -np.sin(angle) * scale[1], centre[0])
    left = coordinate(np.sin(angle) * scale[0], np.cos(angle) * scale[1], centre[1])
    # One row and column of zeros around the image stand for everything outside it.
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1))).astype(np.float32).ravel()
    np.clip(top, 0, height, out=top)
    np.clip(left, 0, width, out=left)
    i, j = top.astype(np.int32), left.astype(np.int32)
    top -= i
    left -= j
    start = np.arange(n, dtype=np.int32)[:, None, None] * ((height + 2) * (width + 2))
    corner = start + i * (width + 2) + j
    upper = padded[corner] + left * (padded[corner + 1] - padded[corner])
    corner += width + 2
    lower = padded[corner] + left * (padded[corner + 1] - padded[corner])
    distorted: np.ndarray = upper + top * (lower - upper)
    return distorted


class _Batches(keras.utils.PyDataset):
    """Shuffled, augmented batches; every epoch's are fixed by the seed and its number."""

    def __init__(self, recipe: Recipe, x: np.ndarray, y: np.ndarray, seed: int) -> None:
        super().__init__()
        self.recipe, self.x, self.y, self.seed = recipe, x, y, seed
        self.epoch = -1
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.recipe.batch_size)

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.x))

    def __getitem__(self, index: int) -> Tuple[np.ndarray, np.ndarray]:
        recipe = self.recipe
        chosen = self.order[index * recipe.batch_size : (index + 1) * recipe.batch_size]
        x = self.x[chosen]
        if recipe.shift or recipe.turn or recipe.zoom:
            random = np.random.default_rng((self.seed, self.epoch, index))
            x = distort(x[..., 0], random, recipe.shift, recipe.turn, recipe.zoom)[..., None]
        return x.astype(np.float32), self.y[chosen]


def images(x: np.ndarray, model: keras.Model) -> np.ndarray:
    """Return data in the shape that a model reads: a channel axis is added where it wants one."""
    return x.reshape((len(x), *model.input_shape[1:]))


def train(
    recipe: Recipe,
    data: Tuple[Split, Split],
    blocks: Optional[Tuple[int, ...]] = None,
    seed: int = 0,
    verbose: Any = "auto",
) -> Tuple[keras.Model, Dict[str, Any]]:
    """Return the trained Keras model and what was measured.

    Parameters
    ----------
    recipe : Recipe
    data : two pairs (x, y)
        To train on and held out, as ``recipe.load`` returns them.  The held-out part is only
        ever measured after the last epoch; no choice depends on it.
    blocks : tuple of int, optional
        Block sizes in place of the recipe's, such as ``recipe.twin``.
    seed : int
        Of the initial weights, the dropout, the order and the augmentation.
    verbose : "auto", 0, 1 or 2
        As in ``keras.Model.fit``.

    Returns
    -------
    model : keras.Model
    figures : dict
        ``seed``, ``blocks``, ``accuracy`` on the held-out data, ``seconds`` of training.
    """
    blocks = recipe.blocks if blocks is None else blocks
    keras.utils.set_random_seed(seed)
    (x, y), (x_test, y_test) = data
    model = recipe.build(blocks)
    x, x_test = images(x, model), images(x_test, model)
    batches = _Batches(recipe, x, y, seed)
    steps = len(batches)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=steps * (recipe.epochs - 1),
        warmup_target=recipe.learning_rate,
        warmup_steps=steps,
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    begin = time.perf_counter()
    model.fit(batches, epochs=recipe.epochs, verbose=verbose)
    seconds = time.perf_counter() - begin
    y_found = model.predict(x_test.astype(np.float32), batch_size=1000, verbose=0).argmax(axis=-1)
    accuracy = float(np.mean(y_found == y_test))
    figures = {"seed": seed, "blocks": list(blocks), "accuracy": accuracy}
    return model, {**figures, "seconds": round(seconds, 1)}


def _dense(units: int, block: int, **kwargs: Any) -> keras.layers.Layer:
    if block == 1:
        return keras.layers.Dense(units, **kwargs)
    return BlockCirculantDense(units, block, **kwargs)


def _conv(filters: int, size: int, block: int, **kwargs: Any) -> keras.layers.Layer:
    if block == 1:
        return keras.layers.Conv2D(filters, size, **kwargs)
    return BlockCirculantConv2D(filters, size, block, **kwargs)


def _digits(blocks: Tuple[int, ...]) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Rescaling(1 / 16),
            _dense(256, blocks[0], activation="relu", name="hidden_1"),
            keras.layers.Dropout(0.2),
            _dense(64, blocks[1], activation="relu", name="hidden_2"),
            keras.layers.Dropout(0.2),
            _dense(10, blocks[2], activation="softmax", name="output"),
        ],
        name="digits",
    )


def _normalised(layer: keras.layers.Layer) -> Tuple[keras.layers.Layer, ...]:
    """Return the layer (made without bias), batch normalisation and ReLU."""
    return layer, keras.layers.BatchNormalization(), keras.layers.ReLU()


def _mnist_mlp(blocks: Tuple[int, ...]) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(name="flatten"),
            *_normalised(_dense(1024, blocks[0], use_bias=False, name="hidden_1")),
            *_normalised(_dense(1024, blocks[1], use_bias=False, name="hidden_2")),
            _dense(10, blocks[2], activation="softmax", name="output"),
        ],
        name="mnist_mlp",
    )


def _mnist_cnn(blocks: Tuple[int, ...]) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Rescaling(1 / 255),
            *_normalised(_conv(16, 5, blocks[0], use_bias=False, name="conv_1")),
            keras.layers.AveragePooling2D(2, name="pool_1"),
            *_normalised(_conv(32, 5, blocks[1], use_bias=False, name="conv_2")),
            keras.layers.AveragePooling2D(2, name="pool_2"),
            keras.layers.Flatten(name="flatten"),
            *_normalised(_dense(128, blocks[2], use_bias=False, name="hidden")),
            _dense(10, blocks[3], activation="softmax", name="output"),
        ],
        name="mnist_cnn",
    )


def _load_digits(folder: Optional[str]) -> Tuple[Split, Split]:
    return load_digits()


RECIPES: Dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="digits",
            blocks=(16, 16, 2),
            build=_digits,
            load=_load_digits,
            epochs=60,
            batch_size=32,
            learning_rate=5e-3,
        ),
        Recipe(
            name="mnist_mlp",
            blocks=(32, 64, 4),
            build=_mnist_mlp,
            load=load_mnist,
            epochs=20,
            batch_size=128,
            learning_rate=1e-2,
            shift=1,
            turn=8,
            zoom=0.08,
        ),
        Recipe(
            name="mnist_cnn",
            blocks=(1, 8, 32, 1),
            build=_mnist_cnn,
            load=load_mnist,
            epochs=20,
            batch_size=256,
            learning_rate=5e-3,
            shift=1,
            turn=8,
            zoom=0.08,
        ),
    )
}
