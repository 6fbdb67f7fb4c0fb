"""The messages and stubs of `kindred.v1`, generated from proto/ by `make proto`; never edited by hand."""
