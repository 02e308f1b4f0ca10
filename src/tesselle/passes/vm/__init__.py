"""vm: the host program as a control-flow graph of virtual machine instructions."""
