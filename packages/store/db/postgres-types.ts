import { Buffer } from 'node:buffer'
import type { PostgresType } from 'postgres'
import { unescapeText } from './text.ts'

// How values go over PostgreSQL's wire: all in text format.

/** bigint and numeric (sums of bigints). @throws RangeError beyond ±(2^53 − 1), rather than a wrong number */
function parseInteger(text: string): number {
  const value = Number(text)
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) throw new RangeError(`${text} is beyond ±(2^53 - 1)`)
  return value
}

/** A view and not a Buffer: what SQLite gives, too. */
function parseBytes(text: string): Uint8Array {
  const bytes = Buffer.from(text.slice(2), 'hex')
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

function serializeBytes(value: unknown): string {
  if (typeof value === 'string') return value
  const { buffer, byteOffset, length } = value as Uint8Array
  return `\\x${Buffer.from(buffer, byteOffset, length).toString('hex')}`
}

const asText = (value: unknown): string => String(value)

/** Types of `pg_type` by number, for postgres.js. */
export const postgresTypes: Record<string, PostgresType> = {
  bigint: { to: 20, from: [20, 1700], serialize: asText, parse: parseInteger },
  bytea: { to: 17, from: [17], serialize: serializeBytes, parse: parseBytes },
  text: { to: 25, from: [25, 1042, 1043], serialize: asText, parse: unescapeText },
  bool: { to: 16, from: [16], serialize: asText, parse: (text: string) => (text === 't' ? 1 : 0) },
}

/** An array literal of integers: `{1,2}`. */
export function integerArray(values: readonly (number | null)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`
}

const NEEDS_ESCAPE = /["\\]/g

/** An array literal of texts, which must be escaped by `escapeText` already. */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : `"${value.replace(NEEDS_ESCAPE, '\\$&')}"`)).join(',')}}`
}

/** An array literal of bytes. */
export function bytesArray(values: readonly (Uint8Array | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : `"\\${serializeBytes(value)}"`)).join(',')}}`
}
