"""The command `saga`: it lists and shows sagas, and runs the operators' commands on them."""
