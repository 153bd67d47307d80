"""Put on PYTHONPATH: a file whose name starts with ``poison`` ends the process that reads it, as a fault in native code does."""

import importlib.abc
import importlib.util
import os
import sys

TARGET = "pneumoscope.archive.row_reading"


class _Patch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != TARGET:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            original = module.result_of

            def result_of(row, *args, **kwargs):
                if row.name.startswith("poison"):
                    os._exit(139)
                return original(row, *args, **kwargs)

            module.result_of = result_of

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Patch())
