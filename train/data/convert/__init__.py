"""Data sets from one form to another: COCO, YOLO, Pascal VOC and Open Images, a file for each."""
