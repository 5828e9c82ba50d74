"""Keras's back end: the user's choice is respected, otherwise an installed one is used."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from pynq_circnn import keras_backend
from pynq_circnn.commands import doctor


def world(*modules):
    return lambda name: name in modules


@pytest.fixture
def config(tmp_path):
    """Write keras.json and return the environment that names its folder."""

    def write(**values):
        (tmp_path / "keras.json").write_text(json.dumps(values))
        return {"KERAS_HOME": str(tmp_path)}

    return write


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A process that has neither imported Keras nor named a back end."""
    monkeypatch.setattr(keras_backend, "_version", lambda: "3.15.1")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    return {"KERAS_HOME": str(tmp_path / "nothing")}


@pytest.mark.parametrize(
    "installed, name",
    [
        (("tensorflow", "jax", "torch"), "tensorflow"),  # Keras's own default works: leave it
        (("jax", "torch"), "jax"),
        (("torch",), "torch"),
    ],
)
def test_nobody_chose(fresh, installed, name):
    choice = keras_backend.find(fresh, world("keras", *installed))
    assert choice.name == name and not choice.problem


def test_the_default_that_keras_writes_by_itself_is_no_choice(fresh, config):
    environ = config(backend="tensorflow")
    assert keras_backend.find(environ, world("keras", "jax")).name == "jax"
    assert keras_backend.find(environ, world("keras", "jax", "tensorflow")).name == "tensorflow"


def test_the_users_choice_is_respected(fresh, config):
    everything = world("keras", "jax", "torch", "tensorflow")
    environ = config(backend="torch")
    choice = keras_backend.find(environ, everything)
    assert choice.name == "torch" and "keras.json" in choice.source
    choice = keras_backend.find({**environ, "KERAS_BACKEND": "jax"}, everything)
    assert choice.name == "jax" and "KERAS_BACKEND" in choice.source
    choice = keras_backend.find({**environ, "KERAS_BACKEND": ""}, everything)  # as if not set
    assert choice.name == "torch"


def test_a_choice_that_is_not_installed_is_reported_and_never_replaced(fresh, config):
    choice = keras_backend.find({"KERAS_BACKEND": "torch"}, world("keras", "jax"))
    assert "KERAS_BACKEND" in choice.problem and "'torch', which is not installed" in choice.problem
    assert "jax" in choice.remedy and "pip install torch" in choice.remedy
    choice = keras_backend.find(config(backend="torch"), world("keras", "jax"))
    assert "keras.json" in choice.problem and "'torch'" in choice.problem


def test_nothing_to_choose_from(fresh, monkeypatch):
    choice = keras_backend.find(fresh, world("keras"))
    assert "back end" in choice.problem and "pip install jax" in choice.remedy
    choice = keras_backend.find(fresh, world("jax"))
    assert choice.problem == "Keras is not installed" and "keras" in choice.remedy
    monkeypatch.setattr(keras_backend, "_version", lambda: "2.13.1")
    choice = keras_backend.find(fresh, world("keras", "tensorflow"))
    assert "Keras 3" in choice.problem and "2.13.1" in choice.problem


def test_a_damaged_configuration_is_as_good_as_none(fresh, tmp_path):
    for text in ("{", "[]", '{"backend": 3}'):
        (tmp_path / "keras.json").write_text(text)
        choice = keras_backend.find({"KERAS_HOME": str(tmp_path)}, world("keras", "jax"))
        assert choice.name == "jax"


def test_what_cannot_be_is_an_import_error(fresh, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "no_such_module")
    with pytest.raises(ImportError, match=r"KERAS_BACKEND must name .* 'no_such_module'"):
        keras_backend.choose()


def python(code, tmp_path, **environ):
    """Run a program as a user does who set nothing; a folder of its own is Keras's home."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("KERAS")}
    own.update({"KERAS_HOME": str(tmp_path), **environ})
    done = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


needs_keras = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("keras", "jax"))
    or importlib.util.find_spec("tensorflow") is not None,
    reason="Keras with JAX and without TensorFlow: the training environment",
)


@needs_keras
@pytest.mark.parametrize("module", ["keras", "zoo.recipes", "zoo.training"])
def test_without_a_word_an_import_works(tmp_path, module):
    code = f"import pynq_circnn.{module}, keras; print(keras.backend.backend())"
    status, out, err = python(code, tmp_path)
    assert (status, out) == (0, "jax\n"), err
    written = json.loads((tmp_path / "keras.json").read_text())  # by Keras: see the next time
    assert written["backend"] == "tensorflow"
    assert keras_backend._configured({"KERAS_HOME": str(tmp_path)}) == "tensorflow"


@needs_keras
def test_keras_that_was_imported_before_is_left_alone(tmp_path):
    code = (
        "import os, keras; os.environ['KERAS_BACKEND'] = ''; import pynq_circnn.keras; "
        "print(os.environ['KERAS_BACKEND'], keras.backend.backend())"
    )
    status, out, err = python(code, tmp_path, KERAS_BACKEND="jax")
    assert (status, out) == (0, " jax\n"), err


@needs_keras
def test_importing_the_package_alone_touches_nothing(tmp_path):
    code = "import os, pynq_circnn, pynq_circnn.commands.cli; print('KERAS_BACKEND' in os.environ)"
    assert python(code, tmp_path)[:2] == (0, "False\n")


@pytest.mark.parametrize(
    "installed, state, words",
    [
        (("keras", "jax"), doctor.OK, "will use back end 'jax'"),
        (("keras",), doctor.NOTE, "neither JAX, PyTorch nor TensorFlow"),
        ((), doctor.NOTE, "Keras is not installed; only training and conversion need it"),
    ],
)
def test_the_doctor_reports_it(fresh, monkeypatch, installed, state, words):
    find = keras_backend.find
    monkeypatch.setattr(keras_backend, "find", lambda environ: find(environ, world(*installed)))
    (found,) = [f for f in doctor.examine(doctor.System(environ=fresh)) if f.name == "Keras"]
    assert found.state == state and words in found.text
    assert bool(found.remedy) == (state != doctor.OK)


@needs_keras
def test_train_needs_no_variable(tmp_path):
    code = (
        "from pynq_circnn.commands import cli; import sys; "
        f"sys.exit(cli.main(['train', 'mnist_mlp', '--data', {str(tmp_path)!r}]))"
    )
    status, _, err = python(code, tmp_path)
    assert status == 2 and "must hold mnist.npz" in err
    status, _, err = python(code, tmp_path, KERAS_BACKEND="no_such_module")
    assert status == 2 and "'no_such_module', which is not installed" in err
    assert "Traceback" not in err
