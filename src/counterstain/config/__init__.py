"""The schema of ``screen.toml``: its sections, and the whole file."""

from counterstain.config.overlap import IMAGE_KINDS, OverlapConfig
from counterstain.config.ranking import RankingConfig
from counterstain.config.screen import ScreenConfig, read_config
from counterstain.config.sections import (
    AttributionConfig,
    AuditConfig,
    ClassRule,
    CounterfactualConfig,
    CropsConfig,
    ImagesConfig,
    LayoutConfig,
    MethodName,
    ModelConfig,
    OracleConfig,
    QualityConfig,
    RunConfig,
    SplitConfig,
)

__all__ = [
    "IMAGE_KINDS",
    "AttributionConfig",
    "AuditConfig",
    "ClassRule",
    "CounterfactualConfig",
    "CropsConfig",
    "ImagesConfig",
    "LayoutConfig",
    "MethodName",
    "ModelConfig",
    "OracleConfig",
    "OverlapConfig",
    "QualityConfig",
    "RankingConfig",
    "RunConfig",
    "ScreenConfig",
    "SplitConfig",
    "read_config",
]
