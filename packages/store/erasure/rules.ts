/**
 * What a column says something about. `content`: what people wrote, or a text that may name any of them; it goes
 * with its row. `none`: figures, times, names of ours.
 */
export type ColumnKind = 'room_nid' | 'room_id' | 'event_nid' | 'event_id' | 'user_id' | 'content' | 'none'

/** The row or value stays, and that is right, because … */
export interface Keep {
  readonly do: 'keep'
  readonly why: string
}

/** Rows that `by` names go, in portions; `key` tells rows of one `by` apart. An index begins with `by`. */
export interface DeleteRows {
  readonly do: 'delete'
  readonly by: string
  readonly key: readonly string[]
  /** The table never has many rows: it is read through. */
  readonly small?: boolean
}

/** Rows go in the write that deletes what they hang on, found by the same number or id in column `by`. */
export interface DeleteWith {
  readonly do: 'delete_with'
  readonly what: 'events' | 'memberships'
  readonly by: string
}

/** What is purged last, in a way of its own. */
export interface DeleteLast {
  readonly do: 'delete_last'
  readonly why: string
}

/** The value is emptied and the row stays. */
export interface Blank {
  readonly do: 'blank'
}

/** The value is replaced in a way of its own, which `how` tells. */
export interface Rewrite {
  readonly do: 'rewrite'
  readonly how: string
}

export type PurgeRule = DeleteRows | DeleteWith | DeleteLast | Keep
export type UserRule = DeleteRows | Blank | Rewrite | Keep
/** Rows that a column names events by go with the events. */
export interface DeleteBy {
  readonly do: 'delete'
  readonly by: string
}

export type CutRule = DeleteBy | Keep
export type EventRule = { readonly do: 'delete' } | Rewrite | Keep

/** What becomes of a table's rows when a room is purged or its history cut, a user erased, an event redacted or erased. */
export interface TableErasure {
  /** Every column. */
  readonly columns: Readonly<Record<string, ColumnKind>>
  /** Where a column names rooms or events. */
  readonly purge?: PurgeRule
  /** By column: each that names users; and each of content, unless rows go by a column that names users. */
  readonly erase?: Readonly<Record<string, UserRule>>
  /** By column: each that names events; and, beside those, each of content, unless rows go by such a column. */
  readonly redact?: Readonly<Record<string, EventRule>>
  /**
   * What becomes of rows that name messages which are removed with a room's history. Where a column names events; but where
   * rows go with the events of a purged room, or with an event that is redacted, they go here too.
   */
  readonly cut?: CutRule
}

/** One part of the list: tables by name. */
export type ErasureList = Readonly<Record<string, TableErasure>>

export const keep = (why: string): Keep => ({ do: 'keep', why })
export const rewrite = (how: string): Rewrite => ({ do: 'rewrite', how })
export const deleteBy = (by: string): DeleteBy => ({ do: 'delete', by })
export const BLANK: Blank = { do: 'blank' }
export const DELETE: { readonly do: 'delete' } = { do: 'delete' }

export const deleteRows = (by: string, ...key: readonly string[]): DeleteRows => ({ do: 'delete', by, key })
export const deleteFew = (by: string, ...key: readonly string[]): DeleteRows => ({
  ...deleteRows(by, ...key),
  small: true,
})
export const withEvents = (by: string): DeleteWith => ({ do: 'delete_with', what: 'events', by })
export const withMemberships = (by: string): DeleteWith => ({ do: 'delete_with', what: 'memberships', by })

/** The same rule for several columns. */
export function each<R>(columns: readonly string[], rule: R): Record<string, R> {
  return Object.fromEntries(columns.map((column) => [column, rule]))
}

/** Columns by which rows go with messages that are removed. */
export function cutColumnsOf({ purge, redact = {}, cut }: TableErasure): string[] {
  if (cut !== undefined) return cut.do === 'delete' ? [cut.by] : []
  const redacted = Object.entries(redact).flatMap(([column, rule]) => (rule.do === 'delete' ? [column] : []))
  const hanging = purge?.do === 'delete_with' && purge.what === 'events' ? [purge.by] : []
  return [...new Set([...hanging, ...redacted])]
}
