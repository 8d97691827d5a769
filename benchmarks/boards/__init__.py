"""How fast on which board: reports of ``fusedet bench``, a file each in this folder, and the table made of them."""
