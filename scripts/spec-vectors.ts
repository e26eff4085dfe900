import { globSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

// `node scripts/spec-vectors.ts <folder>`: lists every example and test vector of the specification's pages about
// the protocol core, from a checkout of matrix-org/matrix-spec, into packages/matrix/specification/printed.json. The
// test beside that file says where each is held. `--check` compares with the committed list instead of writing it.

const OUT = path.join(import.meta.dirname, '../packages/matrix/specification/printed.json')
const PAGES = ['content/appendices.md', 'content/rooms/*.md', 'content/rooms/fragments/*.md']
const EXAMPLES = 'data/api/server-server/examples'
const SOURCE =
  'matrix-org/matrix-spec, commit d0ba2aaef801e0134a4e5c6054a2c2f41bb55531 (Apache-2.0): content/appendices.md, content/rooms'

/** What a page prints: a fenced or indented block, or the code in a sentence or list that gives examples. */
interface Printed {
  readonly page: string
  readonly heading: string
  readonly kind: 'block' | 'inline' | 'event format'
  readonly text: string
}

const GIVES_EXAMPLES = /\bexamples?\b|\be\.g\.|\bbecomes?\b|the following format/i
const CODE = /`([^`]+)`/g
/** An event id that is a hash, wherever it is printed. */
const HASH_ID = /`(\$[A-Za-z0-9+/_-]{43})`/g
const DEFINITION = /\{\{% definition path="api\/server-server\/definitions\/(pdu_\w+)" %\}\}/

const isListItem = (line: string): boolean => /^\s*([-*]|\d+\.)\s/.test(line)

/** A list item or a note under one. */
const isNested = (line: string): boolean => isListItem(line) || line.trimStart().startsWith('**')

/** Paragraphs, lists (an item with its continuation lines) and blocks, in order. */
function* partsOf(text: string): Generator<{ block: boolean; text: string }> {
  const lines = text.split('\n')
  for (let at = 0; at < lines.length;) {
    const part: string[] = []
    const line = lines[at]!
    if (line.trimStart().startsWith('```')) {
      for (at++; !lines[at]!.trimStart().startsWith('```'); at++) part.push(lines[at]!)
      at++
      yield { block: true, text: part.join('\n') }
    } else if (/^ {4,7}\S|^ {8,}[A-Z0-9]/.test(line) && lines[at - 1]?.trim() === '' && !isNested(line)) {
      for (; /^(    |\s*$)/.test(lines[at] ?? 'end'); at++) part.push(lines[at]!.slice(4))
      yield { block: true, text: part.join('\n').trimEnd() }
    } else if (line.trim() === '') {
      at++
    } else {
      do part.push(lines[at++]!)
      while ((lines[at]?.trim() ?? '') !== '' && !lines[at]!.trimStart().startsWith('```'))
      yield { block: false, text: part.join('\n') }
    }
  }
}

/** An example file with its references filled in. */
function readExample(root: string, file: string): unknown {
  const whole = path.join(root, EXAMPLES, file)
  return fillIn(JSON.parse(readFileSync(whole, 'utf8')), (ref) =>
    readExample(root, path.join(path.dirname(file), ref)),
  )
}

function fillIn(value: unknown, read: (ref: string) => unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => fillIn(one, read))
  if (typeof value !== 'object' || value === null) return value
  const { $ref: ref, allOf = [], ...own } = value as Record<string, unknown>
  const parts = [...(typeof ref === 'string' ? [read(ref)] : []), ...(fillIn(allOf, read) as unknown[])]
  const filled = Object.entries(own).map(([key, one]) => [key, fillIn(one, read)])
  return Object.assign({}, ...parts, Object.fromEntries(filled))
}

function listPage(root: string, page: string): Printed[] {
  const found: Printed[] = []
  let heading = ''
  let examples = false
  for (const part of partsOf(readFileSync(path.join(root, page), 'utf8'))) {
    const { text } = part
    const add = (kind: Printed['kind'], value: string) => found.push({ page, heading, kind, text: value })
    const title = /^#+ (.*)/.exec(text)
    const format = DEFINITION.exec(text)?.[1]
    if (title) [heading, examples] = [title[1]!, /example/i.test(title[1]!)]
    else if (part.block) add('block', text)
    else if (format !== undefined)
      // The schema of version 6 shows the example of version 4.
      add('event format', JSON.stringify(readExample(root, `${format.replace('v6', 'v4')}.json`)))
    else {
      // A list belongs to the sentence above it.
      examples = GIVES_EXAMPLES.test(text) || (examples && isListItem(text))
      for (const [, code] of text.matchAll(examples ? CODE : HASH_ID)) add('inline', code!)
    }
  }
  return found
}

const folder = process.argv[2]
if (folder === undefined || folder.startsWith('--')) {
  console.error('usage: spec-vectors.ts <checkout of matrix-org/matrix-spec> [--check]')
  process.exit(2)
}
const pages = globSync(PAGES, { cwd: folder }).toSorted()
const unique = new Map<string, Printed>()
for (const one of pages.flatMap((page) => listPage(folder, page))) {
  const key = JSON.stringify([one.page, one.kind, one.text])
  if (!unique.has(key)) unique.set(key, one)
}
const json = `${JSON.stringify({ source: SOURCE, pages, printed: [...unique.values()] }, null, 2)}\n`
if (!process.argv.includes('--check')) writeFileSync(OUT, json)
else if (JSON.stringify(JSON.parse(readFileSync(OUT, 'utf8'))) !== JSON.stringify(JSON.parse(json))) {
  console.error('the list differs from what this checkout prints: run without --check and see the difference')
  process.exitCode = 1
}
console.log(`${unique.size} examples and vectors on ${pages.length} pages`)
