/** What notes a line, among the globals of a script that is watched. */
export const MARK = "$windlass";
