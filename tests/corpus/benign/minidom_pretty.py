from xml.dom import minidom
import xml.etree.ElementTree as ET

root = ET.Element("notes")
for title in ["one", "two & three"]:
    ET.SubElement(root, "note", {"title": title})
rough = ET.tostring(root, "utf-8")
pretty = minidom.parseString(rough).toprettyxml(indent="  ")
result = [line for line in pretty.splitlines() if line.strip()]
