"""The rules, one file each; `sassay.lint.registry` names them."""
