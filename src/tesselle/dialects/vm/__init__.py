"""vm: the host program; its operations are made from the instruction table of the virtual machine."""
