declare const brand: unique symbol

/** `(type, state_key)` packed into one string, for maps. Made by `packStateKey` only. */
export type StateKey = string & { readonly [brand]: 'StateKey' }

/** `[event type, state key]` */
export type StateKeyPair = readonly [type: string, stateKey: string]

/**
 * One string for a type and a state key. The length comes first, since both parts are a stranger's text and no
 * separator is safe in it.
 */
export function packStateKey(type: string, stateKey: string): StateKey {
  return `${type.length}:${type}${stateKey}` as StateKey
}

/** The inverse of `packStateKey`. */
export function unpackStateKey(packed: StateKey): StateKeyPair {
  const colon = packed.indexOf(':')
  const typeEnd = colon + 1 + Number(packed.slice(0, colon))
  return [packed.slice(colon + 1, typeEnd), packed.slice(typeEnd)]
}
