import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError, badJson } from '@causeway/matrix/errors/matrix-error.ts'
import { isJsonObject, parseJson } from '@causeway/matrix/json/parse.ts'
import { compileEventFilter, type EventFilter } from '../sync/filter.ts'

/** A filter given as JSON in a query. Throws `M_BAD_JSON` when it is none. */
export function parseFilterText(text: string): JsonObject {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (cause) {
    const why = cause instanceof MatrixError ? cause.message : String(cause)
    throw badJson(`The filter is not JSON: ${why}`)
  }
  if (!isJsonObject(value)) throw badJson('The filter must be a JSON object')
  return value
}

/** The `filter` of `/messages` and `/context`: a RoomEventFilter. */
export function parseFilterQuery(text: string | undefined): EventFilter {
  return compileEventFilter(text === undefined ? {} : parseFilterText(text))
}
