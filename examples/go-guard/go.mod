module example.com/deputize/guard

go 1.19
