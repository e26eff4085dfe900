/** One part of an answer beside the rooms. */
export interface ExtensionResult {
  /** Its JSON. */
  readonly text: string
  /** There is something to tell, for which a waiting client is answered. */
  readonly isNews: boolean
}

/** Rooms by id with a JSON text each, as the members of an object. */
export function roomsJson(rooms: ReadonlyMap<string, string>): string {
  return `{${[...rooms].map(([roomId, text]) => `${JSON.stringify(roomId)}:${text}`).join(',')}}`
}
