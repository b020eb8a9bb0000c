/** Writes tiny MaxMind databases (format 2.0, records of 24 bits), so that tests need no file of anybody. */
import ipaddr from 'ipaddr.js';

type Value = string | number | { readonly [key: string]: Value };

export interface MmdbOptions {
  readonly type?: string;
  readonly ipVersion?: 4 | 6;
}

type Node = [left: Link, right: Link];
/** To a node, to what is known of a network (its place in the data), or to nothing. */
type Link = Node | number | undefined;

const SEPARATOR = Buffer.alloc(16);
const METADATA_MARK = Buffer.from('abcdef4d61784d696e642e636f6d', 'hex');

/** @param networks CIDR -> its record; none may lie in another */
export function mmdbOf(
  networks: Readonly<Record<string, Value>>,
  { type = 'GeoLite2-Country', ipVersion = 6 }: MmdbOptions = {},
): Buffer {
  const root: Node = [undefined, undefined];
  const data: Buffer[] = [];
  let dataLength = 0;
  for (const [cidr, record] of Object.entries(networks)) {
    insert(root, bitsOf(cidr, ipVersion), dataLength);
    const bytes = encode(record);
    data.push(bytes);
    dataLength += bytes.length;
  }
  const nodes = nodesOf(root);
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_700_000_000,
    database_type: type,
    ip_version: ipVersion,
    node_count: nodes.length,
    record_size: 24,
  });
  return Buffer.concat([treeOf(nodes), SEPARATOR, ...data, METADATA_MARK, metadata]);
}

/** The bits of the prefix; IPv4 lies at ::/96 of a tree for both. */
function bitsOf(cidr: string, ipVersion: 4 | 6): number[] {
  const [address, prefix] = ipaddr.parseCIDR(cidr);
  const bits = address
    .toByteArray()
    .flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((at) => (byte >> at) & 1));
  const front = ipVersion === 6 && address.kind() === 'ipv4' ? Array<number>(96).fill(0) : [];
  return [...front, ...bits.slice(0, prefix)];
}

function insert(root: Node, bits: readonly number[], place: number): void {
  let node = root;
  for (const [depth, bit] of bits.entries()) {
    if (depth === bits.length - 1) node[bit] = place;
    else {
      const next = node[bit];
      node = Array.isArray(next) ? next : (node[bit] = [undefined, undefined]);
    }
  }
}

function nodesOf(root: Node): readonly Node[] {
  const nodes = [root];
  // Grows while it is walked.
  for (const node of nodes) for (const link of node) if (Array.isArray(link)) nodes.push(link);
  return nodes;
}

function treeOf(nodes: readonly Node[]): Buffer {
  const numbers = new Map(nodes.map((node, number) => [node, number]));
  const tree = Buffer.alloc(nodes.length * 6);
  for (const [number, node] of nodes.entries()) {
    for (const [side, link] of node.entries()) {
      const record = Array.isArray(link)
        ? (numbers.get(link) ?? 0)
        : nodes.length + (link === undefined ? 0 : SEPARATOR.length + link);
      tree.writeUIntBE(record, number * 6 + side * 3, 3);
    }
  }
  return tree;
}

/** Control byte (kind and size below 29), then the bytes. Numbers are unsigned integers of 32 bits. */
function encode(value: Value): Buffer {
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    if (text.length >= 29) throw new RangeError(`a text of ${text.length} bytes is not provided for`);
    return Buffer.concat([Buffer.from([(2 << 5) | text.length]), text]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(5);
    bytes[0] = (6 << 5) | 4;
    bytes.writeUInt32BE(value, 1);
    return bytes;
  }
  const entries = Object.entries(value);
  const control = Buffer.from([(7 << 5) | entries.length]);
  return Buffer.concat([control, ...entries.flatMap(([key, one]) => [encode(key), encode(one)])]);
}
