import { readFileSync } from 'node:fs'
import path from 'node:path'
import { APPSERVICE_OPERATIONS, APPSERVICE_PREFIX } from '../packages/homeserver/appservice/operations.ts'
import { clientRoutes } from '../packages/homeserver/client/routes.ts'
import { federationRoutes } from '../packages/homeserver/federation/routes.ts'
import { synapseAdminRoutes } from '../packages/homeserver/synapse-admin/routes.ts'
import type { SpecOperation } from './spec-operations.ts'

// `docs/conformance.md`: every operation of the specification, whether we have it, since when, and whether a test had
// an answer from it. The first comes from the declarations, the last from what the tests did: `npm test` fails where
// this page claims more than that.

const FOLDER = path.join(import.meta.dirname, '../test/conformance')
const OPERATIONS = path.join(FOLDER, 'operations.json')
/** By operation of ours: since which version, and whether a test had an answer that was no refusal. */
export const SERVED_FILE = path.join(FOLDER, 'served.json')

export type Served = Readonly<Record<string, { readonly since: string; readonly tested: boolean }>>

/** An operation as we declare it. */
interface Declared {
  readonly key: string
  readonly name: string
  readonly paths: readonly string[]
  readonly method: string
}

const TITLES: Readonly<Record<string, string>> = {
  'client-server': 'Client-server API',
  'server-server': 'Server-server API',
  'application-service': 'Application service API (asked by us)',
}

/** Of operations that we do not answer, where that needs a word: why, or who does. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  getEvents: 'refused without `room_id`, with which it is `peekEvents`; clients sync',
  askPolicyServerToSign: 'answered by policy servers; we ask it',
  getWellknownPolicy: 'answered by policy servers',
  queryInfo: 'the pattern of `query/profile` and `query/directory`, the only types there are',
}

/** Paths without the names of their parameters, which differ. */
const shapeOf = (text: string): string => text.replaceAll(/\{\w+\}|:\w+\??|\*\w*/g, '{}')

/** Names an operation in `served.json` and in what the tests report. */
export const keyOf = (method: string, declaredPath: string): string => `${method} ${declaredPath}`

function listDeclared(): Declared[] {
  const routes = [...clientRoutes, ...federationRoutes, ...synapseAdminRoutes].map((endpoint) => ({
    key: keyOf(endpoint.method, endpoint.path),
    name: endpoint.operation,
    method: endpoint.method,
    paths: [endpoint.path, ...(endpoint.also ?? [])],
  }))
  const asked = APPSERVICE_OPERATIONS.map(({ method, path: below }) => ({
    key: keyOf(method, APPSERVICE_PREFIX + below),
    name: below,
    method,
    paths: [APPSERVICE_PREFIX + below],
  }))
  return [...routes, ...asked]
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))

export function readServed(): Served {
  return readJson(SERVED_FILE) as Served
}

/** What `served.json` should hold: what is declared; new ones since this version; tested as told, or as it was. */
export function updateServed(version: string, tested: ReadonlySet<string> | undefined): Served {
  const before = readServed()
  const rows = listDeclared().map(({ key }): [string, Served[string]] => {
    const known = before[key]
    return [
      key,
      {
        since: known?.since ?? version,
        tested: tested === undefined ? known?.tested === true : tested.has(key),
      },
    ]
  })
  return Object.fromEntries(rows.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function rowOf(one: SpecOperation, declared: Declared | undefined, served: Served): string {
  const ours = declared === undefined ? undefined : served[declared.key]
  const notes = [
    ...(one.added === undefined ? [] : [`added in ${one.added}`]),
    ...(one.deprecated === true ? ['deprecated'] : []),
    ...(ours === undefined ? [ELSEWHERE[one.operation] ?? []].flat() : []),
  ].join(', ')
  const cells = [
    one.operation,
    `\`${one.method} ${one.path}\``,
    notes,
    ours?.since ?? '**no**',
    ours === undefined ? '' : ours.tested ? 'yes' : '**no**',
  ]
  return `| ${cells.join(' | ')} |`
}

const HEAD =
  '| operation | request | specification | implemented since | tested |\n| --- | --- | --- | --- | --- |'

/** The page, from the declarations and `served`. */
export function generateConformance(note: string, served: Served): string {
  const { source, operations } = readJson(OPERATIONS) as {
    source: string
    operations: readonly SpecOperation[]
  }
  const declared = listDeclared()
  const byRequest = new Map(
    declared.flatMap((one) => one.paths.map((each) => [keyOf(one.method, shapeOf(each)), one])),
  )
  const used = new Set<Declared>()
  const counts: string[] = []
  const tables: string[] = []
  for (const [api, title] of Object.entries(TITLES)) {
    const rows = operations.filter((one) => one.api === api)
    let implemented = 0
    const lines = rows.map((one) => {
      const isElsewhere = Object.hasOwn(ELSEWHERE, one.operation)
      const ours = isElsewhere ? undefined : byRequest.get(keyOf(one.method, shapeOf(one.path)))
      if (ours !== undefined) {
        used.add(ours)
        implemented++
      }
      return rowOf(one, ours, served)
    })
    counts.push(`| ${title} | ${rows.length} | ${implemented} |`)
    tables.push(`## ${title}\n\n${HEAD}\n${lines.join('\n')}\n`)
  }
  const beyond = declared
    .filter((one) => !used.has(one))
    .map(
      (one) =>
        `| ${one.name} | \`${one.method} ${one.paths[0]!}\` | ${served[one.key]?.tested === true ? 'yes' : '**no**'} |`,
    )
  return [
    '# Conformance\n',
    note,
    `\nThe operations are those of ${source}. *Tested* means that in \`npm test\` a test of this repository`,
    'had an answer from it that was no refusal; `npm test` fails where this page claims more than its run has shown.\n',
    '| API | operations | implemented |\n| --- | --- | --- |',
    ...counts,
    '',
    ...tables,
    '## Beyond the specification\n',
    '| operation | request | tested |\n| --- | --- | --- |',
    ...beyond,
    '',
  ].join('\n')
}
