//! The entities of the federation, each declared once, and all that is derived from the declarations.
