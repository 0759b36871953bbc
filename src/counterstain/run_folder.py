"""Where everything in a run folder lies.

The layout is a contract: other tools read these names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["OVERLAP_TABLES", "TABLES", "RunFolder"]

TABLES = (
    "fields",
    "crops",
    "scores",
    "wells",
    "effects",
    "counterfactuals",
    "training",
    "likelihood",
    "boundary",
    "cell_occlusion",
    "audits",
    "treatments",
    "doses",
    "plates",
    "ranking_wells",
    "remaining",
)
"""Tables of the main path."""

OVERLAP_TABLES = (
    "overlap",
    "overlap_patches",
    "overlap_wells",
    "overlap_treatments",
    "overlap_latents",
)
"""Tables of ``counterstain overlap``."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Names of the files of one run.

    Parameters
    ----------
    root : Path
        The run folder.

    Examples
    --------
    >>> RunFolder(Path("RUN")).table("wells").as_posix()
    'RUN/tables/wells.parquet'
    """

    root: Path

    @property
    def run_json(self) -> Path:
        """Configuration as resolved, versions, seeds, digests, stage timings."""
        return self.root / "run.json"

    @property
    def crops(self) -> Path:
        """Pixel store."""
        return self.root / "crops.zarr"

    @property
    def patches(self) -> Path:
        """Pixel store of the patches of a co-culture."""
        return self.root / "patches.zarr"

    @property
    def masked_patches(self) -> Path:
        """The same patches with everything outside of the masks removed."""
        return self.root / "patches_masked.zarr"

    @property
    def metrics(self) -> Path:
        """All numbers of the run."""
        return self.root / "metrics.json"

    @property
    def models(self) -> Path:
        """Weights and recipes."""
        return self.root / "models"

    @property
    def profiles(self) -> Path:
        """Latent profiles by well."""
        return self.root / "profiles.h5ad"

    @property
    def counterfactuals(self) -> Path:
        """Pictures of the counterfactual strips as arrays (npz)."""
        return self.root / "counterfactuals.npz"

    @property
    def boundary(self) -> Path:
        """Pictures across and along the decision boundary as arrays (npz)."""
        return self.root / "boundary.npz"

    @property
    def generated(self) -> Path:
        """Samples, morphs and reconstructions as arrays (npz)."""
        return self.root / "generated.npz"

    @property
    def ranking(self) -> Path:
        """Typical crops of some treatments as arrays (npz)."""
        return self.root / "treatments.npz"

    @property
    def attributions(self) -> Path:
        """Attribution maps of some crops as arrays (npz)."""
        return self.root / "attributions.npz"

    @property
    def reconstructions(self) -> Path:
        """Patches beside what an autoencoder makes of them, as arrays (npz)."""
        return self.root / "overlap_reconstructions.npz"

    @property
    def explorer(self) -> Path:
        """Thumbnails of patches and their index, for a live page."""
        return self.root / "explorer"

    @property
    def annotations(self) -> Path:
        """What people marked in the explorer; only grows."""
        return self.root / "annotations.csv"

    @property
    def figures(self) -> Path:
        """Figures as PNG, SVG and PDF, their tables as CSV."""
        return self.root / "figures"

    @property
    def report(self) -> Path:
        """The page to open."""
        return self.root / "report" / "index.html"

    @property
    def report_file(self) -> Path:
        """The same page with nothing beside it, for mail."""
        return self.root / "report" / "report.html"

    def table(self, name: str) -> Path:
        """Return the path of a table by its name without ending."""
        return self.root / "tables" / f"{name}.parquet"
