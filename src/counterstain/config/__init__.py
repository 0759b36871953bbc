"""The schema of ``screen.toml``: its sections, and the whole file."""

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
    "QualityConfig",
    "RunConfig",
    "ScreenConfig",
    "SplitConfig",
    "read_config",
]
