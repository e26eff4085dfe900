// https://github.com/matrix-org/matrix-spec-proposals/pull/3757
import type { UserId } from '../ids/ids.ts'
import { parseUserId } from '../ids/user-id.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'

/**
 * The user whose state a state key names where room versions have such: by the whole key, or by what comes before the
 * first `_` behind the first `:`, since no server's name holds one. Undefined where that is no user id.
 */
export function parseStateOwner(stateKey: string): UserId | undefined {
  const end = stateKey.indexOf('_', stateKey.indexOf(':') + 1)
  return parseUserId(end === -1 ? stateKey : stateKey.slice(0, end))
}

/** Why nobody, however powerful, can set state under a key: a sentence; undefined where somebody may. */
export function findStateKeyFault(rules: RoomVersionRules, stateKey: string): string | undefined {
  if (!rules.ownedState || !stateKey.startsWith('@') || parseStateOwner(stateKey) !== undefined)
    return undefined
  return 'A state key that begins with @ must be a user ID, or begin with one and an underscore.'
}
