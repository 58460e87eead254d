"""The lab of docs/DESIGN, "The lab": RDV's whole world in network namespaces of one machine."""
