import { Type, type TOptional, type TSchemaOptions, type TString, type TUnsafe } from 'typebox'

/**
 * Annotations of option schemas that the loader (`cli/config`) acts on. A package that cannot import this file
 * writes them out: `Type.String({ 'x-secret': true, description: '…' })`.
 *
 * - `x-secret`: may also be given as `<key>_file`, the path of a file that holds it; never shown.
 * - `x-unit`: `bytes` takes 50M or 1 GiB, `ms` takes 10s, 5m, 2h or 7d; the value arrives as a number.
 * - `x-path`: a relative path is taken from the data folder (`data`) or from the configuration's folder (`config`).
 */
export interface OptionAnnotations {
  readonly description: string
  readonly default?: unknown
  readonly 'x-secret'?: true
  readonly 'x-unit'?: 'bytes' | 'ms'
  readonly 'x-path'?: 'data' | 'config'
}

/** A secret: also accepted as `<key>_file`. */
export function secret(description: string): TString {
  return Type.String({ description, minLength: 1, 'x-secret': true } satisfies OptionAnnotations &
    TSchemaOptions)
}

/** A number of bytes, written as 50M, 64 KiB or plain digits. */
export function bytes(standard: string, description: string): TUnsafe<number> {
  return Type.Unsafe<number>(Type.Integer({ default: standard, description, minimum: 0, 'x-unit': 'bytes' }))
}

/** The same where nothing is limited by default. */
export function optionalBytes(description: string): TOptional<TUnsafe<number>> {
  return Type.Optional(Type.Unsafe<number>(Type.Integer({ description, minimum: 1, 'x-unit': 'bytes' })))
}

/** A duration in milliseconds, written as 30s, 5m, 2h or 7d. */
export function duration(standard: string, description: string): TUnsafe<number> {
  return Type.Unsafe<number>(Type.Integer({ default: standard, description, minimum: 0, 'x-unit': 'ms' }))
}

/** The same where there is none by default. */
export function optionalDuration(description: string): TOptional<TUnsafe<number>> {
  return Type.Optional(Type.Unsafe<number>(Type.Integer({ description, minimum: 1, 'x-unit': 'ms' })))
}

/** A file or folder; a relative one is taken from the data folder. */
export function dataPath(standard: string, description: string): TString {
  return Type.String({ default: standard, description, minLength: 1, 'x-path': 'data' })
}
