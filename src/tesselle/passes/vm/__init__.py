"""vm: the host program becomes a control-flow graph of the virtual machine's instructions."""
