"""Modules and names of flytekit, so that a program is ported by replacing ``flytekit`` in its imports.

``flytekit.txt`` lists the public names of every module of flytekit. A module that is not a file of flytemp is made by
`flytemp.porting.finder` at its import. A name is the object of flytemp that `flytemp.porting.names` finds. A name that flytemp
does not have is a class that raises `NotSupported` when it is used.
"""
