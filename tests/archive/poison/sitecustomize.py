"""Put on PYTHONPATH: a file whose name starts with ``poison`` ends the process that fetches it, as faulty native code does."""

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
            original = module.fetch

            def fetch(row):
                if row.name.startswith("poison"):
                    os._exit(139)
                return original(row)

            module.fetch = fetch

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Patch())
