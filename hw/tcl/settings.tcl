# The settings of this build (made by hw/scripts/settings.py) and where its files lie.
# Every step sources this file first. The folders come from the environment, not from the command
# line, because vitis-run and vitis_hls pass no arguments on to a script.

foreach variable {CIRCNN_HW CIRCNN_BUILD} {
    if {![info exists ::env($variable)]} {
        puts "ERROR: $variable must be set. Run the step through make -C hw."
        exit 1
    }
}
source [file join $::env(CIRCNN_BUILD) settings.tcl]

# One setting of this build.
proc setting {name} {
    return [dict get $::settings $name]
}

# A path below the build folder.
proc built {args} {
    return [file join $::env(CIRCNN_BUILD) {*}$args]
}
