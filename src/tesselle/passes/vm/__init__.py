"""vm: the host program becomes a control-flow graph of the virtual machine's instructions."""

from tesselle.passes.vm.convert_to_vm import ConvertToVm
from tesselle.passes.vm.fold_vm import FoldVm

__all__ = ["ConvertToVm", "FoldVm"]
