# Step timing: the reports of the routed design that hw/scripts/check.py and manifest.py read.

source [file join $::env(CIRCNN_HW) tcl settings.tcl]

open_project [built vivado [setting name].xpr]
open_run impl_1
report_timing_summary -file [built timing.rpt]
report_utilization -file [built utilization.rpt]
