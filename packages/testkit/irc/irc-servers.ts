import { isOnPath } from '../executable.ts'

const missing = ['inspircd', 'ngircd'].filter((program) => !isOnPath(program))

/** Why tests that need the two IRC servers cannot run here, or false: the `skip` of those tests. */
export const noIrcServers: string | false =
  missing.length === 0 ? false : `not installed: ${missing.join(' and ')}`
