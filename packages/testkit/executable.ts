import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether a file is there that we may run. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The folders in which programs are looked for. */
export function pathFolders(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
}

/** Whether a program is found by its name. */
export function isOnPath(program: string): boolean {
  return pathFolders().some((folder) => isExecutable(join(folder, program)))
}
