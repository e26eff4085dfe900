import type { Clock } from '@causeway/store/clock/clock.ts'
import { isSecretName, redactText } from './redact.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type LogFields = Readonly<Record<string, unknown>>

/** Where parts of the server say what happened. Never throws, never waits. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to each of its lines. */
  child(fields: LogFields): Logger
  /** For leaving out work whose only purpose is a line nobody asked for. */
  enabled(level: LogLevel): boolean
}

/** One line's content, before it is formatted. `fields` still hold secrets. */
interface LogRecord {
  readonly time: number
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

export interface LogOptions {
  readonly level: LogLevel
  /** `json`: one object a line, for machines. `text`: for a person at a terminal. */
  readonly format: 'json' | 'text'
  readonly clock: Pick<Clock, 'now'>
  /** Takes a finished line, newline included. */
  readonly write: (line: string) => void
}

function describeError(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error
  const code: unknown = 'code' in error ? error.code : undefined
  return { name, message, code, stack, cause }
}

function replaceValue(key: string, value: unknown): unknown {
  if (isSecretName(key) && value != null) return '[redacted]'
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return String(value)
  return value instanceof Error ? describeError(value) : value
}

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value, replaceValue) ?? 'null'
  } catch {
    // A cycle or a throwing getter must not turn a log line into a crash.
    return JSON.stringify('[cannot be shown]')
  }
}

function formatJson(record: LogRecord): string {
  const { time, level, message, fields } = record
  const head = `{"time":${JSON.stringify(new Date(time).toISOString())},"level":"${level}","message":${toJson(message)}`
  let out = head
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) out += `,${JSON.stringify(key)}:${toJson(replaceValue(key, value))}`
  }
  return `${out}}\n`
}

const COLORS: Record<LogLevel, string> = {
  debug: '\x1b[2m',
  info: '\x1b[32m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
}

function formatText(record: LogRecord): string {
  const { time, level, message, fields } = record
  let out = `${new Date(time).toISOString().slice(11, 23)} ${COLORS[level]}${level.padEnd(5)}\x1b[0m ${redactText(message)}`
  let stack = ''
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue
    const shown = replaceValue(key, value)
    if (value instanceof Error) stack += `\n${redactText(value.stack ?? value.message)}`
    else out += ` \x1b[2m${key}=\x1b[0m${typeof shown === 'string' ? shown : toJson(shown)}`
  }
  return `${out}${stack}\n`
}

function buildLogger(options: LogOptions, base: LogFields): Logger {
  const lowest = LOG_LEVELS.indexOf(options.level)
  const format = options.format === 'json' ? formatJson : formatText
  const enabled = (level: LogLevel): boolean => LOG_LEVELS.indexOf(level) >= lowest
  const write = (level: LogLevel, message: string, fields?: LogFields): void => {
    if (!enabled(level)) return
    const all = fields === undefined ? base : { ...base, ...fields }
    options.write(format({ time: options.clock.now(), level, message, fields: all }))
  }
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => buildLogger(options, { ...base, ...fields }),
    enabled,
  }
}

/** A logger that formats, redacts secrets and hands lines to `write`. */
export function createLogger(options: LogOptions): Logger {
  return buildLogger(options, {})
}

/** A logger that says nothing: for tests and for tools that print their own results. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
  enabled: () => false,
}
