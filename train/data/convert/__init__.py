"""Data sets from one form to another: COCO, YOLO, Pascal VOC and Open Images, a file for each."""

from fusedet.train.data.convert.convert import FORMATS, Conversion, convert

__all__ = ["FORMATS", "Conversion", "convert"]
