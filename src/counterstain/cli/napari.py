"""``counterstain napari``: a well in napari."""

from __future__ import annotations

from pathlib import Path

from counterstain._optional import import_optional

__all__ = ["open_napari"]


def open_napari(folder: Path, /, *, well: str | None = None, plate: str | None = None) -> None:
    """Open the pictured crops of a well in napari: image, counterfactual, difference, masks.

    Needs the extra `napari` (pip install 'counterstain[napari]') and a screen.

    Parameters
    ----------
    folder
        The run folder.
    well
        Well, as B03; all pictured wells where not given.
    plate
        Plate, where several have that well.
    """
    from counterstain.export import read_pictured, well_layers
    from counterstain.run_folder import RunFolder

    crops = read_pictured(RunFolder(folder), well, plate)
    layers = well_layers(crops)
    napari = import_optional("napari", "napari", "open a well in the viewer")
    viewer = napari.Viewer(title=f"counterstain: {well or folder.name}")
    for layer in layers:
        add = viewer.add_image if layer.kind == "image" else viewer.add_labels
        add(layer.data, name=layer.name, **layer.options)
    if crops[0].pixel_size_um:
        # Since 0.9 the bar is an overlay of the canvas; its unit is that of the layers.
        canvas = getattr(viewer, "canvas", None)
        bar = viewer.scale_bar if canvas is None else canvas.overlays.scale_bar
        bar.visible = True
    napari.run()
