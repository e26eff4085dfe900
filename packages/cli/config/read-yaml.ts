import { LineCounter, isMap, isNode, isSeq, parseDocument, type Document } from 'yaml'
import { ConfigError } from './problem.ts'
import { isRecord } from './option-schema.ts'

/** What a configuration file says, and on which line it says it. */
export interface ConfigFile {
  readonly values: Record<string, unknown>
  /** The line of the option at `path`, or of the nearest thing around it. */
  lineOf(path: readonly string[]): number | undefined
}

function nodeOffset(document: Document, path: readonly string[]): number | undefined {
  let node: unknown = document.contents
  let offset = isNode(node) ? node.range?.[0] : undefined
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => String(isNode(item.key) ? item.key.toJSON() : item.key) === key)
      if (pair === undefined) return offset
      if (isNode(pair.key)) offset = pair.key.range?.[0]
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(key)]
      if (isNode(node)) offset = node.range?.[0]
    } else return offset
  }
  return offset
}

/**
 * Reads YAML. `name` is shown in messages.
 * @throws ConfigError with the line of every mistake in the syntax.
 */
export function readYaml(text: string, name: string): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, version: '1.2' })
  const problems = document.errors.map((error) => ({
    path: [],
    message: error.message.split('\n', 1)[0]!.replace(/ at line \d+, column \d+:?$/, ''),
    source: `${name}:${lines.linePos(error.pos[0]).line}`,
  }))
  if (problems.length > 0) throw new ConfigError(problems)
  const values: unknown = document.toJS({ maxAliasCount: 100 }) ?? {}
  if (!isRecord(values)) {
    throw new ConfigError([{ path: [], message: 'must hold "option: value" lines', source: `${name}:1` }])
  }
  return {
    values,
    lineOf: (path) => {
      const offset = nodeOffset(document, path)
      return offset === undefined ? undefined : lines.linePos(offset).line
    },
  }
}
