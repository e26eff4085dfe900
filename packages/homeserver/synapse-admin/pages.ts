import { Type, type TEnum } from 'typebox'
import { Enum } from 'typebox/type'

/** Rows of one answer at most; who asks for more is told where to go on. */
export const MAX_PAGE = 1_000

/** `from` and `limit`, as all lists take them: the number of rows to leave out, and how many at most. */
export const pageQuery = {
  from: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
}

export const dirQuery = Type.Optional(Type.Union([Type.Literal('f'), Type.Literal('b')]))

/** What ids contain that are looked for. */
export const partOfId = Type.Optional(Type.String({ maxLength: 255 }))

/** One of these words. */
export const oneOf = <T extends string>(words: readonly T[]): TEnum<T[]> => Enum([...words])

export interface PageWanted {
  readonly from: number
  readonly limit: number
}

export function readPageWanted(query: { readonly from?: number; readonly limit?: number }): PageWanted {
  return { from: query.from ?? 0, limit: Math.min(query.limit ?? 100, MAX_PAGE) }
}

/** Where the next page begins; undefined after the last. */
export function nextFrom({ from }: PageWanted, shown: number, total: number): number | undefined {
  return from + shown < total && shown > 0 ? from + shown : undefined
}
