"""The comparison of all eight backbones in both crops at full size, on one accelerator and within a budget of minutes.

    PYTHONPATH=src:benchmarks python -m full_comparison pack cohort.parquet -o packed --init mobilenet_v2=FILE
    PYTHONPATH=src:benchmarks python -m full_comparison train packed -o out --minutes 9
    PYTHONPATH=src:benchmarks python -m full_comparison measure packed out -o figures
    PYTHONPATH=src:benchmarks python -m full_comparison page figures -o docs/full_comparison.md

`pack` makes one archive of everything that training needs; `train` needs the archive, PyTorch, torchvision, timm, OpenCV, pydicom
and no network; `measure` fixes thresholds on tune and computes every figure with its interval by patient.
"""
