"""Packaging: the metadata is here because the board's setuptools (44 to 59) reads no other."""

import os
import re

from setuptools import find_packages, setup
from setuptools.command.build_ext import build_ext

HERE = os.path.dirname(os.path.abspath(__file__))


def read(*path):
    with open(os.path.join(HERE, *path), encoding="utf-8") as file:
        return file.read()


class optional_build_ext(build_ext):
    """Builds the native back end where a compiler is, and says so where it is not."""

    def run(self):
        try:
            super().run()
        except Exception as error:  # whatever a missing or broken compiler raises
            self.announce_missing(error)

    def build_extension(self, ext):
        try:
            super().build_extension(ext)
        except Exception as error:
            self.announce_missing(error)

    def announce_missing(self, error):
        self.warn(
            f"the native back end was NOT built: {error}\n"
            "pynq_circnn works all the same, slower, with its NumPy reference. "
            "With gcc installed, install again to get it."
        )

    def get_outputs(self):
        return [path for path in super().get_outputs() if os.path.exists(path)]

    def copy_extensions_to_source(self):
        try:
            super().copy_extensions_to_source()
        except Exception as error:
            self.announce_missing(error)


setup(
    name="pynq_circnn",
    version=re.search('__version__ = "(.*)"', read("pynq_circnn", "__init__.py")).group(1),
    description="CirCNN on Zynq: block-circulant neural networks, compressed, exact, fast",
    long_description=read("README.md"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    packages=find_packages(include=["pynq_circnn", "pynq_circnn.*"])
    + ["pynq_circnn.hw.src", "pynq_circnn.hw.sim"],
    # the HLS sources live in hw/ and travel with the package: the csim back end compiles them
    package_dir={"pynq_circnn.hw.src": "hw/src", "pynq_circnn.hw.sim": "hw/sim"},
    package_data={
        "pynq_circnn.hw.src": ["*.cpp", "*.hpp", "kinds/*.hpp"],
        "pynq_circnn.hw.sim": ["*.cpp", "*.h"],
        "pynq_circnn": ["py.typed"],
        "pynq_circnn.contract": ["*.json", "check.h"],
        "pynq_circnn.engine": ["counted.json"],
        "pynq_circnn.zoo": ["*.circnn", "*.json"],
        "pynq_circnn.emulated": ["circnn.hwh"],
        "pynq_circnn.overlays": ["README.md", "circnn.bit.d/*"],
        "pynq_circnn.notebooks": ["*.ipynb"],
    },
    python_requires=">=3.8",
    setup_requires=["cffi>=1.14"],
    install_requires=["numpy>=1.20", "cffi>=1.14", "tqdm"],
    extras_require={
        "demo": ["scikit-learn"],
        "train": ["keras>=3", "jax", "scikit-learn"],
        "plot": ["matplotlib"],
        # pynq 3.1 needs pycparser.plyparser and pkg_resources, which newer ones lack
        "emulated": ["pynq==3.1.2", "pycparser<3", "setuptools<=80", "numpy<2"],
        "test": [
            "pytest",
            "coverage",
            "hypothesis",
            "scipy",
            "scikit-learn",
            "mpmath",
            "ruff==0.17.6",  # exact: what they ask for changes with every version
            "mypy==2.4.1; python_version >= '3.10'",
            "mypy; python_version < '3.10'",
            "clang-format==23.1.5",
            "tclint",
            "pynqmetadata>=0.2; python_version >= '3.10'",  # pynq's parser of hardware handoffs
        ],
        "docs": ["sphinx==9.*", "numpydoc==1.*", "myst-parser==5.*", "myst-nb==1.*", "furo<2027"],
    },
    cffi_modules=["pynq_circnn/native/build.py:ffibuilder"],
    cmdclass={"build_ext": optional_build_ext},
    entry_points={
        "console_scripts": ["circnn = pynq_circnn.commands.cli:main"],
        "pynq.lib": ["pynq_circnn = pynq_circnn.board.ip"],
        "pynq.notebooks": ["pynq_circnn = pynq_circnn.notebooks"],
        "pynq.overlays": ["pynq_circnn = pynq_circnn.overlays"],
    },
    zip_safe=False,
    classifiers=[
        "Programming Language :: C",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
