import xml.etree.ElementTree as ET


def indent(elem, level=0):
    pad = "\n" + "  " * level
    if len(elem):
        if not elem.text or not elem.text.strip():
            elem.text = pad + "  "
        for child in elem:
            indent(child, level + 1)
        if not child.tail or not child.tail.strip():
            child.tail = pad
    if level and (not elem.tail or not elem.tail.strip()):
        elem.tail = pad


def build(items):
    root = ET.Element("catalog", attrib={"version": "1.0"})
    for item in items:
        node = ET.SubElement(root, "item", id=str(item["id"]))
        for key, value in item.items():
            if key != "id":
                ET.SubElement(node, key).text = str(value)
    return root


def main():
    root = build([{"id": 1, "name": "Pen", "price": 1.5}, {"id": 2, "name": "Ink", "price": 7}])
    indent(root)
    total = sum(float(p.text) for p in root.iter("price"))
    found = root.find("./item[@id='2']/name")
    return {"xml": ET.tostring(root, encoding="unicode"), "total": total, "second": found.text}
