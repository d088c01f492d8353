// A JSON list of LogQL expressions on standard input; the list of their syntax trees on standard output.
import { readFileSync } from "node:fs";
import { parser } from "@grafana/lezer-logql";

const tree = (node) => {
  const children = [];
  for (let child = node.firstChild; child; child = child.nextSibling) children.push(tree(child));
  return { name: node.name, start: node.from, end: node.to, error: node.type.isError, children };
};
const expressions = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(expressions.map((text) => tree(parser.parse(text).topNode))));
