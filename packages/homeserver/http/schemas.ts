import { Refine, String as Text, Object as Shape, Unsafe } from 'typebox/type'
import type { TUnsafe } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'

/** Any JSON object: a body whose keys are the client's own business, such as an event's content. */
export const jsonObject: TUnsafe<JsonObject> = Unsafe<JsonObject>(Shape({}))

/**
 * A string that `accepts` (a parser or a check that throws or answers false or undefined for what it refuses)
 * takes for a `T`. `what` completes "… must be": "a user id such as @alice:example.org".
 */
export function parsedText<T extends string>(what: string, accepts: (text: string) => unknown): TUnsafe<T> {
  const check = (text: string): boolean => {
    try {
      const answer = accepts(text)
      return answer !== false && answer !== undefined
    } catch {
      return false
    }
  }
  return Unsafe<T>(Refine(Text(), check, () => `must be ${what}`))
}
