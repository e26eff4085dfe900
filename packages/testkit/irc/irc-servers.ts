import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}

const missing = ['inspircd', 'ngircd'].filter((program) => !isOnPath(program))

/** Why tests that need the two IRC servers cannot run here, or false: the `skip` of those tests. */
export const noIrcServers: string | false =
  missing.length === 0 ? false : `not installed: ${missing.join(' and ')}`
