import { cutColumnsOf, type ColumnKind, type ErasureList, type TableErasure } from './rules.ts'

/** Columns by table, as a database has them. */
export type Schema = ReadonlyMap<string, readonly string[]>

/** Names that tell what a column is about, whatever the list says. */
const TELLING: readonly (readonly [RegExp, ColumnKind])[] = [
  [/^room_nid$/, 'room_nid'],
  [/^room_id$/, 'room_id'],
  [/^(user_id|sender|creator|uploader)$/, 'user_id'],
  [/^event_nid$/, 'event_nid'],
  [/event_id$/, 'event_id'],
]

const isRoom = (kind: ColumnKind): boolean => kind.startsWith('room_')
const isEvent = (kind: ColumnKind): boolean => kind.startsWith('event_')

/** Sentences about everything that the list leaves out, contradicts, or names in vain; none when it is whole. */
export function findGaps(list: ErasureList, schema: Schema): string[] {
  const gaps: string[] = []
  for (const table of Object.keys(list)) if (!schema.has(table)) gaps.push(`There is no table ${table}`)
  for (const [table, columns] of schema) {
    const entry = list[table]
    if (entry === undefined) gaps.push(`The table ${table} is not in the erasure list`)
    else gaps.push(...gapsOfColumns(table, entry, columns), ...gapsOfRules(table, entry))
  }
  return gaps
}

function gapsOfColumns(table: string, { columns }: TableErasure, actual: readonly string[]): string[] {
  const missing = actual.filter((name) => columns[name] === undefined)
  const superfluous = Object.keys(columns).filter((name) => !actual.includes(name))
  const odd = Object.entries(columns).flatMap(([name, kind]) => {
    const telling = TELLING.find(([pattern]) => pattern.test(name))
    return telling === undefined || telling[1] === kind
      ? []
      : [`${table}.${name} is ${telling[1]}, not ${kind}`]
  })
  return [
    ...missing.map((name) => `${table}.${name} is not in the erasure list`),
    ...superfluous.map((name) => `There is no column ${table}.${name}`),
    ...odd,
  ]
}

function gapsOfRules(table: string, entry: TableErasure): string[] {
  const { columns, purge, erase = {}, redact = {}, cut } = entry
  const kinds = Object.entries(columns)
  const gaps: string[] = []
  if (kinds.some(([, kind]) => isRoom(kind) || isEvent(kind)) && purge === undefined)
    gaps.push(`${table} names rooms or events, and has no rule for purging a room`)
  if (kinds.some(([, kind]) => isEvent(kind)) && cut === undefined && cutColumnsOf(entry).length === 0)
    gaps.push(`${table} names events, and has no rule for cutting a room's history`)
  const named = [
    ...(purge?.do === 'delete' ? [purge.by, ...purge.key] : purge?.do === 'delete_with' ? [purge.by] : []),
    ...Object.values(erase).flatMap((rule) => (rule.do === 'delete' ? [rule.by, ...rule.key] : [])),
    ...Object.keys(erase),
    ...Object.keys(redact),
    ...cutColumnsOf(entry),
  ]
  for (const name of named) if (columns[name] === undefined) gaps.push(`A rule of ${table} names ${name}`)
  const goesWithUser = Object.values(erase).some((rule) => rule.do === 'delete')
  const goesWithEvent = Object.values(redact).some((rule) => rule.do === 'delete')
  const namesEvents = kinds.some(([, kind]) => isEvent(kind))
  for (const [name, kind] of kinds) {
    if (
      erase[name] === undefined &&
      (kind === 'user_id' || (kind === 'content' && !goesWithUser && !goesWithEvent))
    )
      gaps.push(`${table}.${name} has no rule for erasing a user`)
    const isContentOfEvents = kind === 'content' && namesEvents && !goesWithEvent
    if (redact[name] === undefined && (isEvent(kind) || isContentOfEvents))
      gaps.push(`${table}.${name} has no rule for redacting an event`)
  }
  return gaps
}
